// TungstenReference
